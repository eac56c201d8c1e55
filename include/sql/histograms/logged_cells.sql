SELECT {values}
FROM {answers} AS answered -- noqa: AL05
