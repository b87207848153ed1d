"""A task whose Pod is shaped by its author, with values that the run and another task give."""

from kfp import dsl, kubernetes

LOOK = '''
printf %s "$TOKEN" > "$1"
cat /etc/settings/mode > "$2"
printf %s "$NODE" > "$3"
cat /scratch/marker > "$4"
id -u > "$5"
sleep 5
'''


@dsl.container_component
def choose(name: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image='busybox:1.36', command=['sh', '-c', 'printf settings.of-tests > "$1"', 'sh', name])


@dsl.container_component
def look(
    token: dsl.OutputPath(str),
    mode: dsl.OutputPath(str),
    node: dsl.OutputPath(str),
    marker: dsl.OutputPath(str),
    user: dsl.OutputPath(str),
):
    return dsl.ContainerSpec(
        image='busybox:1.36', command=['sh', '-ec', LOOK, 'sh', token, mode, node, marker, user]
    )


@dsl.pipeline(name='pod-settings')
def pod_settings(secret: str):
    chosen = choose().set_caching_options(False)
    task = look().set_caching_options(False)
    kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env={'token': 'TOKEN'})
    kubernetes.use_config_map_as_volume(task, config_map_name=chosen.outputs['name'], mount_path='/etc/settings')
    kubernetes.use_field_path_as_env(task, env_name='NODE', field_path='spec.nodeName')
    kubernetes.empty_dir_mount(task, volume_name='scratch', mount_path='/scratch')
    kubernetes.add_toleration(task, key='gpu', operator='Exists', effect='NoSchedule')
    kubernetes.add_node_selector(task, label_key='kubernetes.io/os', label_value='linux')
    kubernetes.add_pod_label(task, label_key='team', label_value='tests')
    kubernetes.set_security_context(task, run_as_user=1234, run_as_non_root=True)
    # The SDK that the tests use has no function for it yet.
    task.platform_config['kubernetes']['initContainers'] = [
        {
            'name': 'prepare',
            'image': 'busybox:1.36',
            'command': ['sh', '-c'],
            'args': ['printf "$WORD" > /scratch/marker'],
            'env': [{'name': 'WORD', 'value': 'ready'}],
            'volumeMounts': [{'volumeName': 'scratch', 'mountPath': '/scratch'}],
        },
        {
            'name': 'beside',
            'image': 'busybox:1.36',
            'command': ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
            'restartPolicy': 'Always',
        },
    ]
