"""A tier of somebody else's, written from the contract of a queue-driven system.

tier.py prepare|count|web|workers|group SYSTEM [PORT]

prepare  makes its buckets and queues
count    prints what is in them, as JSON
web      answers forms by messages, as the original web tier does
workers  does what messages ask, as the original workers do
group    prints the group of the first request, as SQS has it
"""

import base64
import json
import sys
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

SYSTEMS = {
    "imagenet": {
        "field": "myfile",
        "inputs": "project1inputimages",
        "outputs": "project1output",
        "requests": "project1-requests",
        "answers": "project1-answers",
    },
    "faces": {
        "field": "inputFile",
        "inputs": "1234567890-in-bucket",
        "outputs": "1234567890-out-bucket",
        "requests": "1234567890-req-queue",
        "answers": "1234567890-resp-queue",
    },
}

WHAT, NAME = sys.argv[1:3]
SYSTEM = SYSTEMS[NAME]
IMAGENET = NAME == "imagenet"


def client(service):
    return boto3.session.Session().client(service)


S3, SQS = client("s3"), client("sqs")


def url(queue):
    return SQS.get_queue_url(QueueName=SYSTEM[queue])["QueueUrl"]


def stem(name):
    return name.split(".")[0] if IMAGENET else name.rsplit(".", 1)[0]


def label(picture):
    total = 7
    for byte in picture:
        total = (total * 31 & 0xFFFFFFFF) ^ byte
    return f"thing {total:08x}"


def prepare():
    for bucket in ("inputs", "outputs"):
        S3.create_bucket(Bucket=SYSTEM[bucket])
    for queue in ("requests", "answers"):
        SQS.create_queue(QueueName=SYSTEM[queue])


def count():
    told = {}
    for bucket in ("inputs", "outputs"):
        found = S3.list_objects_v2(Bucket=SYSTEM[bucket]).get("Contents", [])
        told[bucket] = len(found)
        if bucket == "outputs":
            bodies = (S3.get_object(Bucket=SYSTEM[bucket], Key=one["Key"]) for one in found)
            told["said"] = {
                one["Key"]: body["Body"].read().decode() for one, body in zip(found, bodies)
            }
    for queue in ("requests", "answers"):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = SQS.get_queue_attributes(QueueUrl=url(queue), AttributeNames=names)["Attributes"]
        told[queue] = sum(int(got[name]) for name in names)
    print(json.dumps(told))


def group():
    got = SQS.receive_message(QueueUrl=url("requests"), AttributeNames=["All"])
    print(got["Messages"][0].get("Attributes", {}).get("MessageGroupId"))


def messages(queue, seconds):
    got = SQS.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=seconds, VisibilityTimeout=30
    )
    return got.get("Messages", [])


def work():
    requests, answers = url("requests"), url("answers")
    while True:
        for message in messages(requests, 20):
            if IMAGENET:
                asked = json.loads(message["Body"])
                name, picture = asked["image_name"], base64.b64decode(asked["image"])
            else:
                name, picture = message["Body"], b""
            if not picture:
                picture = S3.get_object(Bucket=SYSTEM["inputs"], Key=name)["Body"].read()
            found = label(picture)
            told = json.dumps({stem(name): found}) if IMAGENET else f"{stem(name)}:{found}"
            body = told if IMAGENET else found
            S3.put_object(Bucket=SYSTEM["outputs"], Key=stem(name), Body=body.encode())
            SQS.send_message(QueueUrl=answers, MessageBody=told)
            SQS.delete_message(QueueUrl=requests, ReceiptHandle=message["ReceiptHandle"])


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    found = {}
    changed = threading.Condition()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(head + body)
        part = next(p for p in form.iter_parts() if p.get_param(
            "name", header="content-disposition") == SYSTEM["field"])
        name, picture = part.get_filename(), part.get_payload(decode=True)
        S3.put_object(Bucket=SYSTEM["inputs"], Key=name, Body=picture)
        asked = name
        if IMAGENET:
            image = base64.b64encode(picture).decode()
            asked = json.dumps({"image": image, "image_name": name})
        SQS.send_message(QueueUrl=url("requests"), MessageBody=asked)
        with self.changed:
            self.changed.wait_for(lambda: stem(name) in self.found)
            found = self.found.pop(stem(name))
        self.answer(found if not IMAGENET else json.dumps(found) + "\n",
                    "application/json" if IMAGENET else "text/plain",
                    stem(name))

    def answer(self, found, kind, name):
        told = (found if IMAGENET else f"{name}:{found}").encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 200


def listen():
    answers = url("answers")
    while True:
        for message in messages(answers, 20):
            if IMAGENET:
                ((name, found),) = json.loads(message["Body"]).items()
            else:
                name, found = message["Body"].split(":", 1)
            with Web.changed:
                Web.found[name] = found
                Web.changed.notify_all()
            SQS.delete_message(QueueUrl=answers, ReceiptHandle=message["ReceiptHandle"])


def web():
    threading.Thread(target=listen, daemon=True).start()
    server = Server(("127.0.0.1", 0), Web)
    print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


def workers():
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    print("listening on nothing", flush=True)
    threading.Event().wait()


{"prepare": prepare, "count": count, "group": group, "web": web, "workers": workers}[WHAT]()
