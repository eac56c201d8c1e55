SELECT obj_description(to_regclass(%(view)s), 'pg_class') AS spec
