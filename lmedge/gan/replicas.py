"""The devices that share a step, seen from one of them. Elsewhere there is one."""

from typing import Any

import tensorflow as tf


def replicas() -> tuple[int, Any]:
    """Number of replicas, and which of them this is."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 1, 0
    return context.num_replicas_in_sync, tf.cast(context.replica_id_in_sync_group, tf.int32)


def mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The mean of what all replicas have; every one of them must ask."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    # Collective ops ask a tensor for its device, which variables and what other collective ops gave do not say.
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(value))
