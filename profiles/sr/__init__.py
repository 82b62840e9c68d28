"""What the standard says of Structured Reports: which SOP classes they are, and the root templates of PS3.16."""
