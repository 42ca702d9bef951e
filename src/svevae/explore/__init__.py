"""The page of `svevae explore`: `session` computes, `page` shows."""
