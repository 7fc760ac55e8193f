"""Define what is played: studies with their arms, motions and questions."""
