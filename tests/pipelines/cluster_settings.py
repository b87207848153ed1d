"""Settings that only a cluster can honour: they are named, and change nothing on one machine."""

from kfp import dsl, kubernetes


@dsl.component
def say(word: str) -> str:
    return word


@dsl.pipeline
def cluster_settings() -> str:
    first = say(word='first')
    first.set_display_name('the first one')
    first.set_cpu_limit('2').set_memory_request('1G')
    kubernetes.add_node_selector(first, label_key='disk', label_value='fast')
    kubernetes.add_toleration(first, key='gpu', operator='Exists', effect='NoSchedule')

    second = say(word='second').after(first)
    kubernetes.add_node_selector(second, label_key='disk', label_value='slow')
    kubernetes.use_secret_as_env(second, secret_name='token', secret_key_to_env={'key': 'TOKEN'})
    kubernetes.mount_pvc(second, pvc_name='shared', mount_path='/shared')
    kubernetes.set_image_pull_policy(second, 'Always')
    return second.output
