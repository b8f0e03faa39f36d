"""A client of external scalers as KEDA is one, made from the contract by gRPC's own compiler.

client.py PROTO ADDRESS: reads a call as JSON from each line of standard input, such as
["GetMetrics", "main", "weighbridge-hosts-wanted"], and prints its answer, or its error, as JSON.
Streams go on beside the other calls; each message is a line {"stream": NAME, ...}.
"""

import json
import pathlib
import sys
import tempfile
import threading

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_tools import protoc

proto, address = pathlib.Path(sys.argv[1]), sys.argv[2]
made = tempfile.TemporaryDirectory()
arguments = ["protoc", f"-I{proto.parent}", f"--python_out={made.name}", f"--grpc_python_out={made.name}"]
assert protoc.main([*arguments, proto.name]) == 0
sys.path.insert(0, made.name)
import externalscaler_pb2 as messages  # noqa: E402
import externalscaler_pb2_grpc as services  # noqa: E402

scaler = services.ExternalScalerStub(grpc.insecure_channel(address))
printing = threading.Lock()


def say(value):
    with printing:
        print(json.dumps(value), flush=True)


def plain(message):
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def scaled(fleet):
    metadata = {"scalerAddress": address} | ({"fleet": fleet} if fleet else {})
    return messages.ScaledObjectRef(name="worker", namespace="shop", scalerMetadata=metadata)


def stream(name, fleet):
    try:
        for message in getattr(scaler, name)(scaled(fleet)):
            say({"stream": name} | plain(message))
    except grpc.RpcError as error:
        say({"stream": name, "error": error.code().name})


def call(name, fleet, metric=None):
    if name.startswith("Stream"):
        threading.Thread(target=stream, args=(name, fleet), daemon=True).start()
        return
    asked = scaled(fleet)
    if name == "GetMetrics":
        asked = messages.GetMetricsRequest(scaledObjectRef=asked, metricName=metric)
    try:
        say({"call": name} | plain(getattr(scaler, name)(asked, timeout=10)))
    except grpc.RpcError as error:
        say({"call": name, "error": error.code().name, "details": error.details()})


for line in sys.stdin:
    call(*json.loads(line))
