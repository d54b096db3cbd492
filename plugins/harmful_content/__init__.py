"""The harmful_content example: which comments should a person look at?"""
