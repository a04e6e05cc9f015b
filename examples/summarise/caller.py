"""Calls whoever can summarise, from the contracts alone: `python3 caller.py`.

What `bourse:///summarise` does for a stub of Node.js, done by hand: ask Discovery, call, go on to the
next when one is away, tell the registry. It needs `pip install grpcio grpcio-tools`.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import grpc

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "proto")]

breaker = grpc.protos("bourse/registry/v1/breaker.proto")
registry, registry_rpc = grpc.protos_and_services("bourse/registry/v1/registry_service.proto")
discovery, discovery_rpc = grpc.protos_and_services("bourse/discovery/v1/discovery_service.proto")
summariser, summariser_rpc = grpc.protos_and_services("summariser.proto")

token = [("authorization", f"Bearer {os.environ['BOURSE_TOKEN']}")]
address = os.environ.get
finder = discovery_rpc.DiscoveryServiceStub(
    grpc.insecure_channel(address("BOURSE_DISCOVERY_ADDRESS", "127.0.0.1:7404"))
)
reports = registry_rpc.RegistryServiceStub(
    grpc.insecure_channel(address("BOURSE_REGISTRY_ADDRESS", "127.0.0.1:7401"))
)
stubs = {}


def summarise(text):
    question = discovery.SelectAgentRequest(alternates=2)
    question.filter.capabilities.append("summarise")
    found = finder.SelectAgent(question, metadata=token)
    for agent in [found.agent, *found.alternates]:
        place = urlsplit(agent.endpoint.uri)
        if place.scheme != "grpc":
            continue
        if place.netloc not in stubs:
            channel = grpc.insecure_channel(place.netloc)
            stubs[place.netloc] = summariser_rpc.SummariserStub(channel)
        report = breaker.CallReport(agent_id=agent.agent_id, capability="summarise")
        try:
            request = summariser.SummariseRequest(text=text)
            answer = stubs[place.netloc].Summarise(request, timeout=2)
            report.result = breaker.CALL_RESULT_SUCCESS
            return f"{answer.agent_id}: {answer.summary}"
        except grpc.RpcError as error:
            late = error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            report.result = breaker.CALL_RESULT_TIMEOUT if late else breaker.CALL_RESULT_FAILURE
            print(f"{agent.agent_id} failed", flush=True)
            # Only a call that may be made twice may go on to the next.
        finally:
            request = registry.ReportCallsRequest(reports=[report])
            reports.ReportCalls(request, metadata=token)
    return "nobody answered"


while True:
    try:
        print(summarise("Call me Ishmael. Some years ago..."), flush=True)
    except grpc.RpcError as error:
        print(error.details(), flush=True)
    time.sleep(0.25)
