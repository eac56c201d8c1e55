COPY {quarantine} (_batch_id, _row, row, reasons) FROM STDIN
