"""What faces show, said by a network that learnt it from photos which are labelled in part."""
