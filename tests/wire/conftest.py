"""Fixtures: a connection for each test process, and a scene for each test."""

import os

import pytest

from client import Client
from scene import Scene


def pytest_collection_modifyitems(config, items):
    """Tests that start servers of ours say nothing about the reference, and what it does not have is not
    asked of it."""
    if not os.environ.get("WIRE_REFERENCE"):
        return
    marks = ("own_server", "ours")
    ours = [item for item in items if any(item.get_closest_marker(mark) for mark in marks)]
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


def pytest_make_parametrize_id(config, val, argname):
    """Long texts and commands make poor names; the rest is pytest's own choice."""
    if isinstance(val, str) and len(val) > 40:
        return argname
    if isinstance(val, dict) and "command_type" in val:
        return str(val["command_type"]).removeprefix("COMMAND_TYPE_")
    return None
