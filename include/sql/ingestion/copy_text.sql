COPY {partition} ({columns}, _row) FROM STDIN WITH (FORMAT text, FREEZE, ENCODING 'UTF8')
