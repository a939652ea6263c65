// GraphiQL is not built.
