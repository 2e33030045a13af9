"""What is predicted of a customer: probabilities, amounts and next stages, with calibration, intervals and reasons."""
