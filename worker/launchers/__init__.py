"""What runs trials. Each launcher translates the same specs for one platform; all pass one contract suite."""
