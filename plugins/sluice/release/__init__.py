"""From a promoted candidate to what serves: bento, deployments."""
