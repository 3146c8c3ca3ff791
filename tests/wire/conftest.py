"""Fixtures: a connection for each test process, and a scene for each test."""

import os

import pytest

from client import Client
from scene import Scene


def pytest_collection_modifyitems(config, items):
    """Tests that start servers of ours say nothing about the reference."""
    if not os.environ.get("WIRE_REFERENCE"):
        return
    ours = [item for item in items if item.get_closest_marker("own_server")]
    items[:] = [item for item in items if item not in ours]
    config.hook.pytest_deselected(items=ours)


@pytest.fixture(scope="session")
def client():
    return Client()


@pytest.fixture
def w(client):
    scene = Scene(client)
    yield scene
    scene.close()


@pytest.fixture
def w2(client):
    """A second scene, for tests with two workflows that need a queue each."""
    scene = Scene(client)
    yield scene
    scene.close()


def pytest_collection_modifyitems(items):
    """What the reference does not have is not asked of it."""
    if os.environ.get("WIRE_REFERENCE"):
        items[:] = [item for item in items if not item.get_closest_marker("ours")]


def pytest_make_parametrize_id(config, val, argname):
    """Long texts and commands make poor names; the rest is pytest's own choice."""
    if isinstance(val, str) and len(val) > 40:
        return argname
    if isinstance(val, dict) and "command_type" in val:
        return str(val["command_type"]).removeprefix("COMMAND_TYPE_")
    return None
