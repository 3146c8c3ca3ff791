"""Requests to every path of the HTTP API, as its definition has them, and to some that it has not.

May depend on the suite's client and the annotations' generated messages.
"""

import itertools
import json
import re
import urllib.error
import urllib.parse
import urllib.request

from google.api import annotations_pb2
from temporalio.api.operatorservice.v1 import service_pb2 as operator_service
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_service

from client import eventually
from normal import Names

PATIENCE = 15
VERBS = ("get", "post", "put", "delete", "patch")
JSON = {"Content-Type": "application/json"}
NOWHERE = [
    ("GET", "/"),
    ("GET", "/api"),
    ("GET", "/api/v1"),
    ("GET", "/api/v1/"),
    ("GET", "/api/v1/nothing"),
    ("POST", "/api/v1/nothing"),
    ("GET", "/api/v2/system-info"),
    ("GET", "/api/v1/system-info/"),
    ("GET", "/api/v1//system-info"),
    ("GET", "/api/v1/namespaces/default/workflows/w/nothing"),
    ("GET", "/api/v1/namespaces//workflows"),
    ("GET", "/api/v1/namespaces/default/workflows/a%2Fb"),
    ("GET", "/api/v1/namespaces/default/workflows/%zz"),
    ("GET", "/api/v1/namespaces/default/workflows/w:x"),
    ("OPTIONS", "/api/v1/system-info"),
    ("HEAD", "/api/v1/system-info"),
]


def annotated():
    """The paths: (RPC, verb, path, whether it takes a body)."""
    for service in (
        workflow_service.DESCRIPTOR.services_by_name["WorkflowService"],
        operator_service.DESCRIPTOR.services_by_name["OperatorService"],
    ):
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            for rule in (rule, *rule.additional_bindings):
                for verb in VERBS:
                    if template := getattr(rule, verb):
                        yield method.name, verb.upper(), template, bool(rule.body)


def cases(namespace):
    """What is asked: (what, verb, path, body, headers)."""
    number = itertools.count()
    for name, verb, template, has_body in annotated():
        def filled(space, template=template, name=name):
            own = f"{name}-{next(number)}"
            return re.sub(r"\{(.*?)\}", lambda field: space if field[1] == "namespace" else own, template)

        what = f"{name} {verb} {template}"
        yield f"{what}: plain", verb, filled(namespace), b"{}" if has_body else None, JSON
        if "{namespace}" in template:
            yield f"{what}: no such namespace", verb, filled("gone"), b"{}" if has_body else None, JSON
        other = "POST" if verb == "GET" else "GET"
        yield f"{what}: as {other}", other, filled(namespace), None, {}
        yield f"{what}: as PATCH", "PATCH", filled(namespace), b"{}", JSON
        if not has_body:
            yield f"{what}: unknown parameter", verb, filled(namespace) + "?nonsense=1", None, {}
            continue
        for wrong, body, headers in (
            ("no body", b"", {}),
            ("no JSON", b"{", JSON),
            ("a list", b"[]", JSON),
            ("a text", b'"x"', JSON),
            ("null", b"null", JSON),
            ("more than one", b"{}{}", JSON),
            ("unknown field", b'{"nonsense": 1}', JSON),
            ("wrong type", b'{"identity": 1, "namespace": 2}', JSON),
            ("form", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
            ("text", b"{}", {"Content-Type": "text/plain"}),
        ):
            yield f"{what}: {wrong}", verb, filled(namespace), body, headers
    for verb, path in NOWHERE:
        yield f"{verb} {path}", verb, path, None, {}


def ask(address, verb, path, body, headers):
    """The answer, comparable; the reference wants a breather now and then."""
    return eventually(lambda: None if (answer := once(address, verb, path, body, headers))["status"] == 429 else answer)


def once(address, verb, path, body, headers):
    asked = urllib.request.Request(f"http://{address}{path}", data=body, method=verb, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
            return {"status": reply.status, "type": reply.headers["Content-Type"]}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "type": error.headers["Content-Type"], **said(error.read())}
    except TimeoutError:
        return {"status": "waits"}


def said(text):
    text = text.decode()
    try:
        answer = json.loads(text)
    except ValueError:
        return {"text": text}
    names = Names("\0")
    return {
        "code": answer.get("code"),
        "message": names.text(answer.get("message", "")),
        "details": [detail["@type"] for detail in answer.get("details", [])],
    }
