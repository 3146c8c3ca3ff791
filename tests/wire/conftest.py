"""Fixtures: a connection for each test process, and a scene for each test."""

import pytest

from client import Client
from scene import Scene


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
