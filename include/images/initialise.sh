# What each start of the stack brings up to date before anything of Airflow runs; a second time it changes nothing.
python -m local.tables
python -m local.accounts
# Through the standard input, because everybody in the container sees a command.
printf %s "$SLUICE_WATCHER_API_KEY" | python -m local.keys lay watcher
