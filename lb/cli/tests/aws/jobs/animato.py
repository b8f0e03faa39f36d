"""A tier of somebody else's beside animato, written from its contract.

animato.py prepare|ask CUSTOMER JOBS|look CUSTOMER BUCKET

prepare  makes its bucket of photos with three of them, its queue and its table
ask      asks for a job as the original web tier does: the message first, and then the row
look     prints the row, what is in the queue, and the bucket, as JSON
"""

import json
import sys

import boto3

QUEUE, TABLE, BUCKET = "REQUESTQUEUE", "JobScheduler", "photos"


def client(service):
    return boto3.session.Session().client(service)


S3, SQS, DYNAMODB = client("s3"), client("sqs"), client("dynamodb")


def url():
    return SQS.get_queue_url(QueueName=QUEUE)["QueueUrl"]


def prepare():
    for bucket in (BUCKET, "animato-jobs"):
        S3.create_bucket(Bucket=bucket)
    for name in ("b.jpg", "a.PNG", "c.jpeg", "notes.txt"):
        S3.put_object(Bucket=BUCKET, Key=name, Body=name.encode())
    SQS.create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "30"})
    DYNAMODB.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "CustomerId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "CustomerId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def ask(customer, jobs):
    SQS.send_message(QueueUrl=url(), MessageBody=f"{customer}|{jobs}")
    row = {"CustomerId": {"S": customer}, "job_stats": {"S": "C"}, "try_count": {"N": "0"}}
    try:
        missing = "attribute_not_exists(CustomerId)"
        DYNAMODB.put_item(TableName=TABLE, Item=row, ConditionExpression=missing)
    except DYNAMODB.exceptions.ConditionalCheckFailedException:
        pass


def look(customer, bucket):
    got = DYNAMODB.get_item(TableName=TABLE, Key={"CustomerId": {"S": customer}})
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = SQS.get_queue_attributes(QueueUrl=url(), AttributeNames=names)["Attributes"]
    found = S3.list_objects_v2(Bucket=bucket).get("Contents", [])
    films = {
        one["Key"]: S3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode()
        for one in found
        if one["Key"].startswith("myvideo")
    }
    row = {name: list(value.values())[0] for name, value in got.get("Item", {}).items()}
    print(json.dumps({"row": row, "queue": sum(int(n) for n in counts.values()), "films": films}))


{"prepare": prepare, "ask": ask, "look": look}[sys.argv[1]](*sys.argv[2:])
