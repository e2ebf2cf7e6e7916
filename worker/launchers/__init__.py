"""What runs trials. Each launcher translates the same specs for one platform and passes one contract suite."""
