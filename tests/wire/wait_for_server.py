"""Waits until the server serves, and says so when it does not."""

import sys

import grpc
from client import ADDRESS, Client, eventually


def serving():
    try:
        return Client()("DescribeNamespace", namespace="default", timeout=2)
    except grpc.RpcError as error:
        raise AssertionError(error.details()) from None


try:
    eventually(serving, timeout=30)
except AssertionError as error:
    sys.exit(f"no server of the API at {ADDRESS}: {error}")
