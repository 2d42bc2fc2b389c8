// SPDX-License-Identifier: MIT
// The side of two npm SDKs of s3-clients.sh: s3-clients.mjs NPM_FOLDER aws|minio put|get TABLE BUCKET FOLDER, or
// put-described BUCKET KEY TYPE CACHE COLOUR NOTE, or described BUCKET KEY
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [npm, which, verb, ...rest] = process.argv.slice(2);
const [table, bucket, folder] = verb.endsWith('described') ? ['', rest[0], ''] : rest;
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
    putDescribed: (Key, ContentType, CacheControl, colour, note) =>
      send('PutObject', { Key, Body: fs.readFileSync('data/1'), ContentType, CacheControl, Metadata: { colour, note } }),
    async described(Key) {
      const r = await send('HeadObject', { Key });
      return [r.ContentType, r.CacheControl, r.Metadata.colour, r.Metadata.note];
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
    putDescribed: (key, type, cache, colour, note) => client.fPutObject(bucket, key, 'data/1',
      { 'Content-Type': type, 'Cache-Control': cache, 'X-Amz-Meta-Colour': colour, 'X-Amz-Meta-Note': note }),
    async described(key) {
      const m = (await client.statObject(bucket, key)).metaData;
      return [m['content-type'], m['cache-control'], m.colour, m.note];
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
if (verb === 'put-described')
  await client.putDescribed(...rest.slice(1));
if (verb === 'described')
  console.log((await client.described(rest[1])).join('\n'));
for (const line of table ? fs.readFileSync(table, 'utf8').replace(/^\ufeff/, '').split('\n').filter((s) => s) : []) {
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
    if (!name.startsWith('described/'))
      add('names', name);
