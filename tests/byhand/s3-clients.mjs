// SPDX-License-Identifier: MIT
// The side of two npm SDKs of s3-clients.sh: s3-clients.mjs NPM_FOLDER aws|minio put|get TABLE BUCKET FOLDER
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [npm, which, verb, table, bucket, folder] = process.argv.slice(2);
const require = createRequire(path.resolve(npm, 'x.js'));
const endpoint = new URL(process.env.ROMA_S3_ENDPOINT);
const accessKey = process.env.AWS_ACCESS_KEY_ID, secretKey = process.env.AWS_SECRET_ACCESS_KEY;
const add = (name, line) => fs.appendFileSync(path.join(folder, name), line + '\n');
const PART = 16 * 1024 * 1024;

function aws() {
  const S3 = require('@aws-sdk/client-s3');
  const client = new S3.S3Client({ region: 'us-east-1', endpoint: endpoint.href, forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } });
  const send = (name, o) => client.send(new S3[name + 'Command']({ Bucket: bucket, ...o }));
  return {
    async put(Key, file, ContentType) {
      const Body = fs.readFileSync(file);
      if (Body.length <= PART)
        return send('PutObject', { Key, Body, ContentType });
      const { UploadId } = await send('CreateMultipartUpload', { Key, ContentType });
      const Parts = [];
      for (let at = 0; at < Body.length; at += PART) {
        const PartNumber = Parts.length + 1;
        const r = await send('UploadPart', { Key, UploadId, PartNumber, Body: Body.subarray(at, at + PART) });
        Parts.push({ PartNumber, ETag: r.ETag });
      }
      return send('CompleteMultipartUpload', { Key, UploadId, MultipartUpload: { Parts } });
    },
    async get(Key, file) {
      const r = await send('GetObject', { Key });
      fs.writeFileSync(file, await r.Body.transformToByteArray());
      return r.ContentType;
    },
    async names() {
      const all = [];
      for (let token; ;) {
        const r = await send('ListObjectsV2', { ContinuationToken: token });
        all.push(...(r.Contents || []).map((e) => e.Key));
        if (!r.IsTruncated)
          return all;
        token = r.NextContinuationToken;
      }
    },
  };
}

function minio() {
  const { Client } = require('minio');
  const client = new Client({ endPoint: endpoint.hostname, port: Number(endpoint.port), useSSL: false, accessKey, secretKey,
    region: 'us-east-1', pathStyle: true });
  return {
    put: (key, file, type) => client.fPutObject(bucket, key, file, { 'Content-Type': type }),
    async get(key, file) {
      await client.fGetObject(bucket, key, file);
      return (await client.statObject(bucket, key)).metaData['content-type'];
    },
    async names() {
      const all = [];
      for await (const e of client.listObjectsV2(bucket, '', true))
        all.push(e.name);
      return all;
    },
  };
}

const client = which === 'aws' ? aws() : minio();
for (const line of fs.readFileSync(table, 'utf8').replace(/^\ufeff/, '').split('\n').filter((s) => s)) {
  const [number, , type, key] = line.split('\t');
  try {
    if (verb === 'put')
      await client.put(key, 'data/' + number, type);
    else
      add('types', number + '\t' + await client.get(key, path.join(folder, number)));
  } catch (e) {
    add('errors', key + ': ' + (e.stack || e));
  }
}
if (verb === 'get')
  for (const name of await client.names())
    add('names', name);
