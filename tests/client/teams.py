"""A cluster of two teams, for as long as it is left alone."""

import os
import time

from stand_in_cluster import Cluster

cluster = Cluster(int(os.environ["PENSTOCK_TEST_CLUSTER_PORT"]), "pipelines.kubeflow.org", {"team-a", "team-b"})
for account, namespace in {"ann": "team-a", "bob": "team-b", "olga": "penstock-system"}.items():
    cluster.tokens[f"token-of-{account}"] = account
    cluster.roles[account, namespace] = "edit"
while True:
    time.sleep(3600)
