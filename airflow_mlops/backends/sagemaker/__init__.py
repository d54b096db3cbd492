"""What the SageMaker target is made of: one file for each thing that AWS is asked."""
