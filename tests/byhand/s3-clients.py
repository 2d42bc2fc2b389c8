# SPDX-License-Identifier: MIT
# boto3's side of s3-clients.sh: s3-clients.py put|get TABLE BUCKET FOLDER, put-described BUCKET KEY TYPE CACHE COLOUR NOTE,
# described BUCKET KEY, or remove BUCKET.
import os
import sys
import boto3
from botocore.config import Config

s3 = boto3.client('s3', endpoint_url=os.environ['ROMA_S3_ENDPOINT'],
                  config=Config(s3={'addressing_style': 'path'}, retries={'max_attempts': 2}))


def names(bucket):
    for page in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket):
        for entry in page.get('Contents', []):
            yield entry['Key']


def rows(table):
    with open(table, encoding='utf-8', newline='\n') as lines:
        for line in lines:
            number, _, kind, key = line.rstrip('\n').split('\t')
            yield number, kind, key


def write(folder, name, lines):
    with open(os.path.join(folder, name), 'a', encoding='utf-8', newline='\n') as out:
        for line in lines:
            out.write(line + '\n')


def one(verb, bucket, folder, number, kind, key):
    if verb == 'put':
        # Long ones by parts, as the transfer manager of boto3 does it.
        s3.upload_file('data/' + number, bucket, key, ExtraArgs={'ContentType': kind})
        return
    s3.download_file(bucket, key, os.path.join(folder, number))
    write(folder, 'types', [number + '\t' + s3.head_object(Bucket=bucket, Key=key)['ContentType']])


def main(verb, *rest):
    if verb == 'remove':
        for key in list(names(rest[0])):
            s3.delete_object(Bucket=rest[0], Key=key)
        s3.delete_bucket(Bucket=rest[0])
        return
    if verb == 'put-described':
        bucket, key, kind, cache, colour, note = rest
        s3.upload_file('data/1', bucket, key, ExtraArgs={'ContentType': kind, 'CacheControl': cache,
                                                         'Metadata': {'colour': colour, 'note': note}})
        return
    if verb == 'described':
        r = s3.head_object(Bucket=rest[0], Key=rest[1])
        print(r['ContentType'], r['CacheControl'], r['Metadata']['colour'], r['Metadata']['note'], sep='\n')
        return
    table, bucket, folder = rest
    for number, kind, key in rows(table):
        try:
            one(verb, bucket, folder, number, kind, key)
        except Exception as e:
            write(folder, 'errors', ['%s: %s' % (key, e)])
    if verb == 'get':
        write(folder, 'names', (name for name in names(bucket) if not name.startswith('described/')))


main(*sys.argv[1:])
