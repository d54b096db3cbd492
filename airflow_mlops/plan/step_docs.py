"""What the UI says of each task: what it does, what its failure means, what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_mlops.plan.graph import StepName

STEP_DOCS: Mapping[StepName, str] = {
    "snapshot": (
        "Reads the run's window of rows and keeps it as one immutable, versioned Parquet object. A "
        "failure means that the source is away, or has too few rows or wrong columns; the champion keeps "
        "serving. Mend the source and clear this task."
    ),
    "validate": (
        "Holds the snapshot against the file's expectations, looks for leaks (the label among the features, "
        "values from the future, rows on both sides of the split), and tells a feed that broke from a world "
        "that changed. A failure names what is at fault, and nothing is trained. Mend the data upstream, or "
        "the expectation if the world has changed; a retry alone will not help."
    ),
    "contracts": (
        "Holds the file against the code and the data before time is spent: each import path leads to "
        "something that can be called as it will be, the libraries are installed, store and MLflow answer, "
        "the columns are of their kinds. A failure lists what does not hold; what differs from the "
        "champion's data is told as a warning. Mend the file, the code or the environment."
    ),
    "model_tests": (
        "Runs the model's own tests (pytest), with the configuration and a sample of the rows at hand. A "
        "failure names each test that failed, and the line. Mend the code, or the test if the world has "
        "changed; a retry alone will not help."
    ),
    "sample_run": (
        "Runs every step on a small sample of the training rows: validate, train, save and load in a fresh "
        "process, evaluate, gates, register. Nothing of it is kept, and the holdout is not touched. A "
        "failure names the step and is a fault of code or file, found before hours are spent. Mend it; a "
        "retry alone will not help."
    ),
    "tune_search": (
        "Tries parameters on folds of the training rows until the budget of tuning is spent; the workers "
        "share one search. A trial that fails is recorded and the search goes on. If this task was killed, "
        "clear it: finished trials stay, and the one it was at is tried again."
    ),
    "tune_choose": (
        "Takes the parameters of the best trial, and records the search in MLflow, in the ledger and in its "
        "report. A failure means that no trial came to its end; the log has the first reasons."
    ),
    "train": (
        "Trains on all rows that are not held out and logs the model whole to MLflow. A failure leaves the "
        "champion as it is; the log ends with the training code's own error. A retry starts from the same "
        "snapshot."
    ),
    "evaluate": (
        "Scores the new model and the champion on the same holdout rows, with confidence intervals. A "
        "failure means that a metric cannot be computed or MLflow is away; it says nothing about the "
        "model."
    ),
    "gate": (
        "Judges the evaluation by the file's gates. A verdict of fail is a result, no fault: the run "
        "stays green, what follows is skipped, and the reasons stand in the log and in the ledger. A red "
        "task means that the verdict could not be recorded; clear it."
    ),
    "register": (
        "Registers the model that passed as the challenger. Clearing it is safe: a run registers one "
        "version, however often it is tried."
    ),
    "announce_challenger": (
        "Emits the asset that starts the deployment, unless it is started by hand. Skipped when nothing "
        "was registered, and in backfills."
    ),
    "take_challenger": (
        "Finishes or undoes the rollout that an earlier run left open, then claims the newest challenger "
        "that no rollout has taken; older ones are superseded. Skipped when nothing is pending."
    ),
    "smoke_serve": (
        "Loads the challenger on the serving side, off the live path, and asks it for known rows. A model "
        "that cannot be served is a failed verdict and is rolled back; if this task is red, the model "
        "server or MLflow is away. No traffic has moved."
    ),
    "review": (
        "Waits for a person to override the gates, or to hold the challenger, where they did not pass. An "
        "override needs a reason. Skipped where nobody needs to be asked."
    ),
    "approve": (
        "Waits for a person to approve the rollout in Airflow. A rejection, or no answer in time, ends "
        "the rollout with the champion untouched."
    ),
    "shadow": (
        "Copies live requests to the challenger and looks at errors, latency and disagreement; nobody "
        "sees its answers. Too few requests is no failure: it waits until the deadline."
    ),
    "canary": (
        "Lets the challenger answer {share} of the rows and looks at errors, latency and whatever else the "
        "file's deploy.analysis asks for. A bad verdict leads to roll_back by itself. If this task is red, "
        "check that the endpoint answers."
    ),
    "ab_report": (
        "Writes the report of the test: what both versions answered, what that was worth, and the verdict. "
        "Skipped where there is no verdict. If it is red, clear it before the endpoint forgets; the decision "
        "does not wait for it."
    ),
    "conclude": "Reads all verdicts and chooses promote or roll_back.",
    "promote": (
        "Makes the challenger the champion: alias, traffic and ledger, in an order that a crash cannot "
        "spoil. If it is red, clear it: it goes on where it stopped."
    ),
    "roll_back": (
        "Gives all traffic back to the champion and records why. If it is red, its log says which: rolled "
        "back, because a stage broke and not for a verdict (look at that stage); or not rolled back, because "
        "the endpoint did not answer. Then it may still send rows to the challenger: bring it back and "
        "clear this task."
    ),
    "announce_champion": "Emits the asset that says a new champion serves. Skipped after a rollback.",
    "reverse": (
        "Ends an open rollout, asks the earlier champion for known rows, then moves alias and traffic to it "
        "and reads both back. If it is red, its log says which: refused, and then the present champion "
        "serves on (the message lists the versions there are); or interrupted, and then clear it: it goes on "
        "where it stopped, and so does the next deploy run."
    ),
    "choose_partitions": (
        "Says which partitions the run scores, with which version, and which challenger looks on. Skipped "
        "where there is no champion. A failure means that the run's window cuts through a partition, or "
        "that MLflow is away. Clear this task, and what follows it, to score the partitions anew."
    ),
    "score": (
        "Reads each partition piece by piece, predicts, and swaps its file in when it is whole: until then "
        "the old one stays, and no row is ever there twice. If this task was killed, clear it: it goes on "
        "with the partition it was at. A failure names the partition, and the rows or the model at fault."
    ),
    "announce_predictions": (
        "Emits the asset that says which partitions have new predictions, in backfills as well. Skipped "
        "when nothing was scored."
    ),
    "collect": (
        "Keeps the window's part of the inference log as one Parquet object. Skipped when nothing was "
        "served, which is told as an upstream fault where a lot was before. A failure means that the log or "
        "the store cannot be read."
    ),
    "data_quality": (
        "Holds the served rows against the file's expectations and against what the champion was trained on: "
        "a feed that broke blocks retraining, and its column is named. Findings are reported, and explain "
        "what drift finds; a red task means that the check could not be run."
    ),
    "drift": (
        "Compares the served inputs with what the champion was trained and evaluated on, column by column "
        "and slice by slice, and says whether as many rows came as usual. Drift is a finding, not a failure; "
        "the report names the columns and slices that moved."
    ),
    "performance": (
        "Joins answers with the labels that have landed and holds the metric against the promise made at "
        "promotion. Too few labels is inconclusive, not a failure."
    ),
    "announce_drift": (
        "Records the drift in the ledger and emits the asset that tells other DAGs of it, with report, "
        "features and scores. Skipped where nothing has drifted, or where the data came in broken."
    ),
    "announce_decay": (
        "Records in the ledger that the model is worse than it promised and emits the asset that tells other "
        "DAGs of it. Skipped where it is not, where nobody knows yet, or where the data came in broken."
    ),
    "decide": (
        "Applies the retraining policy to this window and those before it, and records the decision. If "
        "it is red, nothing was requested."
    ),
    "tell": (
        "Tells those whom alerts.routes names of what was found: each finding once, until it ends or "
        "changes. The run's state is not its affair. If it is red, its log says who could not be reached: "
        "mend the connection and clear it, or leave it to the next run, which tells what this one could not."
    ),
    "roll_back_decayed": (
        "Puts the champion before this one back where decay is proven and healing.roll_back is on. Skipped "
        "where there is nothing to do: no decay, a broken feed, no earlier champion, or one that decayed "
        "too. A failure means that the version could not be put back; the present champion stays."
    ),
    "request_retraining": (
        "Starts a run of the train DAG with the cause in its conf and note, and emits the asset that tells "
        "others of it. Skipped unless the decision was to retrain, or an earlier request has no run."
    ),
}


def step_doc(step: StepName, weight: float | None = None) -> str:
    """A task's own page."""
    return STEP_DOCS[step].replace("{share}", f"{100 * (weight or 0):g} %")
