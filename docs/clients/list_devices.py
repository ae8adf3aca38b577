"""Lists a collector's devices from Python, with nothing of Muster but the schema.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto/schema --python_out=out --grpc_python_out=out \
        muster/v1/inventory.proto muster/v1/query.proto
    PYTHONPATH=out python docs/clients/list_devices.py HOST:PORT FOLDER [FILTER]

FOLDER holds key.pem, certificate.pem and roots.pem of an operator or a service.
"""

import pathlib
import sys

import grpc

from muster.v1 import query_pb2, query_pb2_grpc


def main(address: str, folder: str, filter: str = "") -> None:
    files = pathlib.Path(folder)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(files / "roots.pem").read_bytes(),
        private_key=(files / "key.pem").read_bytes(),
        certificate_chain=(files / "certificate.pem").read_bytes(),
    )
    with grpc.secure_channel(address, credentials) as channel:
        query = query_pb2_grpc.QueryStub(channel)
        page = ""
        while True:
            request = query_pb2.ListDevicesRequest(filter=filter, page_size=100, page_token=page)
            answer = query.ListDevices(request, timeout=10)
            for device in answer.devices:
                flags = ",".join(flag.code for flag in device.flags)
                print(device.name, device.display_name, device.software_count, flags, sep="\t")
            page = answer.next_page_token
            if not page:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
