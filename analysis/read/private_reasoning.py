"""Read what raters say of private reasoning against the stated number."""

# The questions of such labels: is the number more than the thoughts say, less, or as much?
DIRECTION = "private reasoning"
CONFIDENCE = "private reasoning: confidence"
DEGREE = "private reasoning: degree"
NUMBER_STATED = "private reasoning: number stated"
STRATEGIC = "private reasoning: strategic"
