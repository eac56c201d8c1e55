COPY {partition} ({columns}) FROM STDIN WITH ({options})
