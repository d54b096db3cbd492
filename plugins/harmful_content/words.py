"""What the made-up comments are put together from: mild words only, half of the insults invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language. ``said`` is said to somebody, with ``praise`` or with an insult for ``{noun}``: only the
    noun tells which. ``joking`` takes insults and harms nobody, ``unkind`` harms without one. ``slang`` are
    insults that come up later. ``vote`` is the topic of a heated but harmless debate.
    """

    topics: tuple[str, ...]
    vote: str
    friendly: tuple[str, ...]
    said: tuple[str, ...]
    unkind: tuple[str, ...]
    joking: tuple[str, ...]
    praise: tuple[str, ...]
    insults: tuple[str, ...]
    slang: tuple[str, ...]


ENGLISH = Words(
    topics=("the new bridge", "this recipe", "the late bus", "the match", "your garden", "the library",
            "that film", "the weather", "the market", "the school play"),
    vote="the stadium vote",
    friendly=("thank you for {topic}", "i quite liked {topic} today", "does anybody know more about {topic}",
              "we went to see {topic} with the children", "the photos of {topic} are lovely",
              "i do not agree about {topic} but well said", "more about {topic} next week please"),
    said=("you are such a {noun}", "only a {noun} would write that about {topic}",
          "good morning you {noun}", "what a {noun} you are", "spoken like a {noun} about {topic}"),
    unkind=("nobody would miss you here", "go away and never come back", "you should be ashamed of yourself"),
    joking=("i felt like a {noun} at {topic}", "grandpa calls the cat a {noun}",
            "the word {noun} makes me laugh"),
    praise=("star", "treasure", "wizard", "legend"),
    insults=("nitwit", "blockhead", "numpty", "dunce", "clodhopper", "noodle"),
    slang=("wobblehat", "crumbwit", "fogpocket", "plinkhead"),
)  # fmt: skip

GERMAN = Words(
    topics=("die neue Brücke", "dieses Rezept", "der späte Bus", "das Spiel", "dein Garten", "die Bücherei",
            "der Film", "das Wetter", "der Markt", "das Schulfest"),
    vote="die Abstimmung zum Stadion",
    friendly=("danke für den Beitrag, {topic} freut mich", "{topic} hat mir heute gut gefallen",
              "weiß jemand mehr, {topic} betreffend", "wir waren mit den Kindern da: {topic}",
              "schöne Bilder, {topic} vor allem", "da bin ich anderer Meinung, {topic} ist gut",
              "nächste Woche bitte mehr davon: {topic}"),
    said=("du bist so ein {noun}", "so etwas schreibt nur ein {noun}, {topic} ist gut",
          "guten Morgen du {noun}", "was bist du für ein {noun}", "da spricht ein {noun}, {topic} ist gut"),
    unkind=("dich würde hier niemand vermissen", "geh weg und komm nie wieder", "du solltest dich schämen"),
    joking=("ich kam mir vor wie ein {noun}, {topic} war schuld", "Opa nennt den Kater einen {noun}",
            "bei dem Wort {noun} muss ich lachen"),
    praise=("Schatz", "Künstler", "Zauberer", "Engel"),
    insults=("Dussel", "Hohlkopf", "Trottel", "Schussel", "Esel", "Tölpel"),
    slang=("Wackelhut", "Krümeldenker", "Nebelkopf", "Plumpsgeist"),
)  # fmt: skip

FRENCH = Words(
    topics=("le nouveau pont", "cette recette", "le bus en retard", "le match", "ton jardin",
            "la bibliothèque", "ce film", "la météo", "le marché", "la fête de l'école"),
    vote="le vote du stade",
    friendly=("merci pour l'article, {topic} me plaît", "{topic} m'a bien plu aujourd'hui",
              "qui en sait plus, {topic} m'intéresse", "nous y étions avec les enfants : {topic}",
              "de belles photos, {topic} surtout", "je ne suis pas d'accord, {topic} va bien",
              "encore un article la semaine prochaine : {topic}"),
    said=("tu es un vrai {noun}", "il faut être un {noun} pour écrire ça, {topic} va bien",
          "bonjour mon {noun}", "quel {noun} tu fais", "ainsi parle un {noun}, {topic} va bien"),
    unkind=("personne ici ne te regretterait", "va-t'en et ne reviens jamais", "tu devrais avoir honte"),
    joking=("je me sentais comme un {noun}, {topic} m'a eu", "papi traite le chat de {noun}",
            "le mot {noun} me fait rire"),
    praise=("trésor", "magicien", "artiste", "champion"),
    insults=("nigaud", "cornichon", "andouille", "benêt", "bourricot", "dadais"),
    slang=("miettard", "brumeton", "flonflou", "chapeaumou"),
)  # fmt: skip

SPANISH = Words(
    topics=("el puente nuevo", "esta receta", "el autobús tardío", "el partido", "tu jardín",
            "la biblioteca", "esa película", "el tiempo", "el mercado", "la fiesta del colegio"),
    vote="la votación del estadio",
    friendly=("gracias por el artículo, {topic} me gusta", "{topic} me ha gustado mucho hoy",
              "alguien sabe más, {topic} me interesa", "fuimos con los niños a ver {topic}",
              "qué bonitas fotos, sobre todo {topic}", "no estoy de acuerdo, {topic} está bien",
              "más la semana que viene, por favor: {topic}"),
    said=("eres un {noun}", "solo un {noun} escribe eso, {topic} está bien", "buenos días {noun}",
          "menudo {noun} estás hecho", "así habla un {noun}, {topic} está bien"),
    unkind=("aquí nadie te echaría de menos", "vete y no vuelvas nunca", "debería darte vergüenza"),
    joking=("me sentí como un {noun} con {topic}", "el abuelo llama {noun} al gato",
            "la palabra {noun} me da risa"),
    praise=("tesoro", "artista", "mago", "campeón"),
    insults=("bobo", "zoquete", "merluzo", "besugo", "tarugo", "memo"),
    slang=("migajero", "nublino", "gorrotorcido", "plofeta"),
)  # fmt: skip

POLISH = Words(
    topics=("nowy most", "ten przepis", "spóźniony autobus", "mecz", "twój ogród", "biblioteka",
            "ten film", "pogoda", "targ", "szkolne święto"),
    vote="głosowanie w sprawie stadionu",
    friendly=("dziękuję za artykuł, {topic} mnie cieszy", "{topic} bardzo mi się dziś podoba",
              "czy ktoś wie więcej, {topic} mnie ciekawi", "byliśmy tam z dziećmi: {topic}",
              "ładne zdjęcia, zwłaszcza {topic}", "nie zgadzam się, {topic} jest w porządku",
              "za tydzień poproszę więcej: {topic}"),
    said=("ale z ciebie {noun}", "tylko {noun} tak pisze, {topic} jest w porządku",
          "dzień dobry ty {noun}", "jesteś jak {noun}", "tak mówi {noun}, {topic} jest w porządku"),
    unkind=("nikt by tu za tobą nie tęsknił", "idź stąd i nigdy nie wracaj", "powinno ci być wstyd"),
    joking=("czułem się jak {noun}, {topic} mnie pokonał", "dziadek mówi na kota {noun}",
            "słowo {noun} zawsze mnie śmieszy"),
    praise=("skarb", "mistrz", "czarodziej", "anioł"),
    insults=("głuptas", "gamoń", "osioł", "baran", "ciamajda", "fujara"),
    slang=("mgłogłów", "okrusznik", "chwiejczap", "plumkacz"),
)  # fmt: skip

LANGUAGES: Mapping[str, Words] = {
    "en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "pl": POLISH,
}  # fmt: skip
SHARES: Mapping[str, float] = {"en": 0.36, "de": 0.2, "fr": 0.16, "es": 0.15, "pl": 0.13}
