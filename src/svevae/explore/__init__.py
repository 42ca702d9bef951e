"""The page of `svevae explore`: `session` computes, `figures` and `layout` show, `page` answers."""
