"""The two functions of sysinv.common.utils that the plugin calls."""

CREDENTIALS = {"username": "sysinv", "password": "secret"}


def is_aio_simplex_system(dbapi):
    system = dbapi.isystem_get_one()
    return system.system_type == "All-in-one" and system.system_mode == "simplex"


def get_local_docker_registry_auth():
    return dict(CREDENTIALS)
