-- What the model servers do: log, show that they live, and lay labels to what they answered.
GRANT USAGE ON SCHEMA serving TO serving;
GRANT SELECT, INSERT ON serving.answers, serving.labels TO serving;
GRANT INSERT ON serving.failures TO serving;
GRANT SELECT, INSERT, UPDATE, DELETE ON serving.replicas TO serving;
GRANT EXECUTE ON FUNCTION serving.ensure_partition(date) TO serving;
GRANT EXECUTE ON FUNCTION serving.instances(serving.answers) TO serving;
