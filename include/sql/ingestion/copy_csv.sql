COPY {partition} ({columns}) FROM STDIN WITH (FORMAT csv, FREEZE, ENCODING 'UTF8', FORCE_NULL ({columns}))
