"""Which images of a gathered set a person should look at, and what the person says of them."""
