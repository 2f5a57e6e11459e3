"""What a data protection officer needs: the texts that follow from a policy, and an audit that attacks the output."""
