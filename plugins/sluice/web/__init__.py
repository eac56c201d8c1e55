"""Pages shown inside Airflow's UI."""
