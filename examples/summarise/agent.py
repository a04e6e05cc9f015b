"""Serves summaries at an endpoint of its own: `python3 agent.py eve`.

The same agent as agent.ts, from the contracts alone. It needs `pip install grpcio grpcio-tools`.
"""

import os
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "proto")]

registry, registry_rpc = grpc.protos_and_services("bourse/registry/v1/registry_service.proto")
summariser, summariser_rpc = grpc.protos_and_services("summariser.proto")

AGENT_ID = sys.argv[1] if len(sys.argv) > 1 else "eve"
MARKET = os.environ.get("BOURSE_REGISTRY_ADDRESS", "127.0.0.1:7401")
LEASE_SECONDS = 5


class Summariser(summariser_rpc.SummariserServicer):
    def Summarise(self, request, context):
        time.sleep(0.05)  # As if a model were asked.
        summary = f"{request.text[:30]}..."
        return summariser.SummariseResponse(summary=summary, agent_id=AGENT_ID)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
summariser_rpc.add_SummariserServicer_to_server(Summariser(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()

market = registry_rpc.RegistryServiceStub(grpc.insecure_channel(MARKET))
token = [("authorization", f"Bearer {os.environ['BOURSE_TOKEN']}")]

registration = registry.RegisterAgentRequest(agent_id=AGENT_ID, replace_existing=True)
registration.profile.capabilities.append("summarise")
registration.profile.endpoint.uri = f"grpc://127.0.0.1:{port}"
registration.profile.endpoint.protocol = "grpc"
registration.profile.pricing.cost_per_task.micros = 20_000
registration.profile.pricing.cost_per_task.currency_code = "EUR"
registration.lease.seconds = LEASE_SECONDS
market.RegisterAgent(registration, metadata=token)
print(f"{AGENT_ID} registered: process {os.getpid()}", flush=True)

while True:
    time.sleep(LEASE_SECONDS / 3)
    heartbeat = registry.HeartbeatRequest(agent_id=AGENT_ID)
    heartbeat.lease.seconds = LEASE_SECONDS
    market.Heartbeat(heartbeat, metadata=token, wait_for_ready=True)
