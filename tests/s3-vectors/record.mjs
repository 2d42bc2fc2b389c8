// SPDX-License-Identifier: MIT
// Records anew what the vendors' own SDKs sign, without a network: writes tests/s3-vectors/recorded.txt.
//
//   mkdir /tmp/sdk && cd /tmp/sdk && npm init -y
//   npm install ali-oss@6 esdk-obs-nodejs@3 minio@8 @aws-sdk/client-s3@3 @aws-sdk/s3-request-presigner@3 \
//     @aws-sdk/s3-presigned-post@3
//   node RECORD.mjs /tmp/sdk > RECORDED.txt
//
// Node is needed to record, not to test. All keys in here are invented.
import { createRequire } from 'node:module';
import http from 'node:http';
import path from 'node:path';

const require = createRequire(path.join(process.argv[2] || process.cwd(), 'x.js'));
const id = 'ROMAEXAMPLEID', secret = 'roma/example+secret=key';
const when = new Date('2026-02-03T04:05:06Z');
const keys = ['a.txt', 'dir/ä b+c&d=e%41~!\'()*.txt', '日本/ü?#[]@:;,$', 'x//y/../z'];
const lines = [];
// Each kind of request once with a token is enough.
const keysFor = (token) => (token ? keys.slice(1, 2) : keys);

const code = (s) => [...Buffer.from(String(s), 'utf8')]
  .map((b) => (b > 0x20 && b < 0x7f && b !== 0x25 ? String.fromCharCode(b) : '%' + b.toString(16).padStart(2, '0')))
  .join('');
const put = (word, ...rest) => lines.push([word, ...rest.map(code)].join(' '));

function begin(name, dialect, kind, o) {
  lines.push('');
  put('vector', name);
  put('dialect', dialect);
  put('kind', kind);
  put('id', id);
  put('secret', o.secret || secret);
  for (const k of ['token', 'region', 'now', 'method', 'host', 'bucket', 'key', 'path', 'payload', 'additional', 'expires'])
    if (o[k] !== undefined && o[k] !== '') put(k, o[k]);
  for (const [n, v] of o.query || []) put('query', n, ...(v === null ? [] : [v]));
  for (const [n, v] of o.headers || []) put('header', n, v);
}

// The parameters of a URL in their order; a name without "=" has the value null.
function parameters(search) {
  return search.replace(/^\?/, '').split('&').filter((s) => s).map((s) => {
    const i = s.indexOf('=');
    return i < 0 ? [decodeURIComponent(s), null] : [decodeURIComponent(s.slice(0, i)), decodeURIComponent(s.slice(i + 1))];
  });
}
// Not new URL(), which takes ".." out of paths.
function split(url) {
  const m = /^https?:\/\/([^/?]*)([^?]*)(\?.*)?$/.exec(url);
  return { host: m[1], pathname: m[2], search: m[3] || '' };
}
const iso = (s) => Date.UTC(+s.slice(0, 4), s.slice(4, 6) - 1, +s.slice(6, 8), +s.slice(9, 11), +s.slice(11, 13), +s.slice(13, 15)) / 1000;

// ---------------------------------------------------------------- AWS, V4
async function aws() {
  const { S3Client, PutObjectCommand, GetObjectCommand, ListObjectsV2Command, CreateMultipartUploadCommand,
    UploadPartCommand, CopyObjectCommand } = require('@aws-sdk/client-s3');
  const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');
  const { createPresignedPost } = require('@aws-sdk/s3-presigned-post');
  let caught;
  const client = (token, pathStyle) => new S3Client({
    region: 'eu-central-1', endpoint: 'http://s3.example.net:9000', forcePathStyle: pathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED', maxAttempts: 1,
    credentials: { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) },
    requestHandler: { async handle(r) { caught = r; throw new Error('caught'); } },
  });
  const commands = (k) => [
    ['put', () => new PutObjectCommand({ Bucket: 'buck', Key: k, Body: 'hello', ContentType: 'text/plain', Metadata: { who: ' two  blanks ' } })],
    ['get', () => new GetObjectCommand({ Bucket: 'buck', Key: k, Range: 'bytes=1-3', ResponseContentType: 'text/html' })],
    ['list', () => new ListObjectsV2Command({ Bucket: 'buck', Prefix: k, Delimiter: '/', MaxKeys: 7 })],
    ['create', () => new CreateMultipartUploadCommand({ Bucket: 'buck', Key: k })],
    ['part', () => new UploadPartCommand({ Bucket: 'buck', Key: k, UploadId: 'u+/=1', PartNumber: 7, Body: 'x' })],
    ['copy', () => new CopyObjectCommand({ Bucket: 'buck', Key: k, CopySource: 'buck/' + encodeURIComponent(k) })],
  ];
  for (const pathStyle of [true, false]) for (const token of ['', 'tok/en+=']) for (const k of keysFor(token)) for (const [n, make] of commands(k)) {
    await client(token, pathStyle).send(make()).catch(() => {});
    const h = Object.fromEntries(Object.entries(caught.headers).map(([a, b]) => [a.toLowerCase(), b]));
    const signed = /SignedHeaders=([^,]*)/.exec(h.authorization)[1].split(';');
    const query = Object.entries(caught.query || {});
    begin(`js-v3 ${n} ${k} ${pathStyle ? 'path' : 'virtual'}${token ? ' token' : ''}`, 'aws4', 'header', {
      token, region: 'eu-central-1', now: iso(h['x-amz-date']), method: caught.method, host: h.host, bucket: 'buck',
      key: n === 'list' ? '' : k, path: caught.path, payload: h['x-amz-content-sha256'], query,
      headers: signed.filter((s) => s !== 'host' && s !== 'x-amz-security-token').map((s) => [s, h[s]]),
    });
    put('authorization', h.authorization);
  }
  for (const pathStyle of [true, false]) for (const token of ['', 'tok/en+=']) for (const k of keysFor(token)) {
    for (const [n, make] of commands(k).filter(([c]) => ['put', 'get', 'part'].includes(c))) {
      const url = split(await getSignedUrl(client(token, pathStyle), make(), { expiresIn: 3600, signingDate: when,
        unhoistableHeaders: new Set(['content-type']), signableHeaders: new Set(['content-type', 'host']) }));
      const all = parameters(url.search);
      const given = all.filter(([p]) => !/^X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)$/.test(p));
      const signed = all.find(([p]) => p === 'X-Amz-SignedHeaders')[1].split(';');
      const have = { 'content-type': n === 'part' ? 'application/octet-stream' : 'text/plain', range: 'bytes=1-3', 'content-length': n === 'put' ? '5' : '1' };
      begin(`js-v3 link ${n} ${k} ${pathStyle ? 'path' : 'virtual'}${token ? ' token' : ''}`, 'aws4', 'query', {
        token, region: 'eu-central-1', now: when / 1000, method: n === 'get' ? 'GET' : 'PUT', host: url.host, bucket: 'buck', key: k,
        path: url.pathname, expires: 3600, query: given, headers: signed.filter((s) => s !== 'host').map((s) => [s, have[s]]),
      });
      put('parameters', url.search.slice(1));
    }
  }
  for (const token of ['', 'tok/en+=']) {
    const form = await createPresignedPost(client(token, true), { Bucket: 'buck', Key: 'up/${filename}', Expires: 600,
      Conditions: [['content-length-range', 1, 1000], ['starts-with', '$Content-Type', 'image/']] });
    begin(`js-v3 form${token ? ' token' : ''}`, 'aws4', 'policy', { token, region: 'eu-central-1', now: iso(form.fields['X-Amz-Date']),
      bucket: 'buck', key: 'up/${filename}' });
    put('policy', Buffer.from(form.fields.Policy, 'base64').toString());
    for (const n of ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Signature', ...(token ? ['X-Amz-Security-Token'] : [])])
      put('field', n, form.fields[n]);
  }
}

// ---------------------------------------------------------------- MinIO, V4, and with it the examples of AWS's pages
function minio() {
  const { signV4, presignSignatureV4, postPresignSignatureV4 } = require('minio/dist/main/signing.js');
  const crypto = require('node:crypto');
  const sha = (s) => crypto.createHash('sha256').update(s).digest('hex');
  for (const k of keys) for (const method of ['GET', 'PUT']) {
    const p = '/buck/' + encodeURIComponent(k).replace(/%2F/g, '/').replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
    const stamp = when.toISOString().replace(/[-:]|\.\d+/g, '');
    const headers = { host: 'minio.example.net', 'x-amz-date': stamp, 'x-amz-content-sha256': sha('hello'), 'x-amz-meta-a': 'b' };
    const r = { method, path: p, protocol: 'http:', headers };
    begin(`minio ${method} ${k}`, 'aws4', 'header', { region: 'us-east-1', now: when / 1000, method, host: headers.host, bucket: 'buck', key: k,
      path: p, payload: sha('hello'), headers: Object.entries(headers).filter(([n]) => n !== 'host') });
    put('authorization', signV4(r, id, secret, 'us-east-1', when, sha('hello')));
    const url = split(presignSignatureV4({ ...r, headers: { host: headers.host } }, id, secret, undefined, 'us-east-1', when, 900));
    begin(`minio link ${method} ${k}`, 'aws4', 'query', { region: 'us-east-1', now: when / 1000, method, host: headers.host, bucket: 'buck',
      key: k, path: p, expires: 900 });
    put('parameters', url.search.slice(1));
  }
  const policy = JSON.stringify({ expiration: '2026-02-04T00:00:00Z', conditions: [['eq', '$bucket', 'buck']] });
  begin('minio form', 'aws4', 'policy', { region: 'us-east-1', now: when / 1000, bucket: 'buck', key: '' });
  put('policy', policy);
  put('field', 'X-Amz-Signature', postPresignSignatureV4('us-east-1', when, secret, Buffer.from(policy).toString('base64')));
}

// ---------------------------------------------------------------- OSS
async function oss() {
  const OSS = require('ali-oss');
  const { createRequest } = require('ali-oss/lib/common/utils/createRequest');
  for (const v4 of [false, true]) for (const token of ['', 'tok/en+=']) {
    const client = new OSS({ region: 'oss-cn-hangzhou', accessKeyId: id, accessKeySecret: secret, bucket: 'buck',
      authorizationV4: v4, ...(token ? { stsToken: token, refreshSTSToken: async () => ({ accessKeyId: id, accessKeySecret: secret, stsToken: token }), refreshSTSTokenInterval: 1e9 } : {}) });
    const t = token ? ' token' : '';
    for (const k of keysFor(token)) {
      const requests = [
        ['put', { method: 'PUT', object: k, content: Buffer.from('hello'), mime: 'text/plain', headers: { 'x-oss-meta-who': 'me', 'x-oss-forbid-overwrite': 'true' } }],
        ['get', { method: 'GET', object: k, subres: { 'response-content-type': 'text/html' }, headers: { Range: 'bytes=1-3' } }],
        ['create', { method: 'POST', object: k, subres: 'uploads' }],
        ['part', { method: 'PUT', object: k, subres: { partNumber: 7, uploadId: 'u+/=1' } }],
        ['list', { method: 'GET', object: '', query: { 'list-type': 2, prefix: k, delimiter: '/' } }],
      ];
      for (const [n, r] of requests) {
        const made = createRequest.call(client, { bucket: 'buck', ...r });
        const url = split(made.url);
        const h = Object.fromEntries(Object.entries(made.params.headers).map(([a, b]) => [a.toLowerCase(), b]));
        const sent = Object.entries(h).filter(([a]) => /^x-oss-|^content-(type|md5)$/.test(a) && a !== 'x-oss-security-token');
        begin(`ali-oss ${v4 ? 'v4' : 'v1'} ${n} ${k}${t}`, v4 ? 'oss4' : 'oss1', 'header', { token, region: 'cn-hangzhou',
          now: v4 ? iso(h['x-oss-date']) : 0, method: r.method, host: url.host, bucket: 'buck', key: r.object, path: url.pathname,
          payload: 'UNSIGNED-PAYLOAD', query: parameters(url.search), headers: sent });
        put('authorization', h.authorization);
      }
      if (!v4) {
        for (const [method, options] of [['GET', { response: { 'content-type': 'text/x' } }], ['PUT', { 'Content-Type': 'text/plain' }]]) {
          const url = split(client.signatureUrl(k, { ...options, method, expires: 1800 }, false));
          const all = parameters(url.search);
          begin(`ali-oss link v1 ${method} ${k}${t}`, 'oss1', 'query', { token, now: all.find(([p]) => p === 'Expires')[1] - 1800, method,
            host: url.host, bucket: 'buck', key: k, path: url.pathname, expires: 1800,
            query: all.filter(([p]) => p.startsWith('response-')), headers: options['Content-Type'] ? [['Content-Type', 'text/plain']] : [] });
          put('parameters', url.search.slice(1));
        }
      } else {
        const url = split(await client.signatureUrlV4('PUT', 600, { headers: { 'content-type': 'text/plain', 'x-oss-meta-a': 'b' } }, k));
        const all = parameters(url.search);
        begin(`ali-oss link v4 ${k}${t}`, 'oss4', 'query', { token, region: 'cn-hangzhou', now: iso(all.find(([p]) => p === 'x-oss-date')[1]),
          method: 'PUT', host: url.host, bucket: 'buck', key: k, path: url.pathname, expires: 600,
          headers: [['content-type', 'text/plain'], ['x-oss-meta-a', 'b']] });
        put('parameters', url.search.slice(1));
      }
    }
    const policy = JSON.stringify({ expiration: '2026-02-04T00:00:00Z', conditions: [['eq', '$bucket', 'buck']] });
    if (!v4) {
      const f = client.calculatePostSignature(policy);
      begin(`ali-oss form v1${t}`, 'oss1', 'policy', { token, now: 0, bucket: 'buck' });
      put('policy', policy);
      for (const n of ['OSSAccessKeyId', 'policy', 'Signature']) put('field', n, f[n]);
    } else {
      begin(`ali-oss form v4${t}`, 'oss4', 'policy', { token, region: 'cn-hangzhou', now: when / 1000, bucket: 'buck' });
      put('policy', policy);
      put('field', 'x-oss-signature', client.signPostObjectPolicyV4(policy, when));
    }
  }
}

// ---------------------------------------------------------------- OBS, and AWS V2 as its SDK writes it
async function obs() {
  const ObsClient = require('esdk-obs-nodejs');
  let caught;
  const request = http.request;
  const client = async (signature, token) => {
    const c = new ObsClient({ access_key_id: id, secret_access_key: secret, server: 'http://obs.cn-north-4.example.com',
      is_signature_negotiation: false, signature, max_retry_count: 0, ...(token ? { security_token: token } : {}) });
    await new Promise((r) => setTimeout(r, 20));
    return c;
  };
  const { Writable } = require('node:stream');
  http.request = (o) => {
    caught = o;
    const never = new Writable({ write(a, b, done) { done(); } });
    return Object.assign(never, { setTimeout() {}, abort() {}, setNoDelay() {} });
  };
  for (const signature of ['obs', 'v2']) for (const token of ['', 'tok/en+=']) {
    const c = await client(signature, token);
    const dialect = signature === 'obs' ? 'obs' : 'aws2', t = token ? ' token' : '';
    const own = signature === 'obs' ? 'x-obs-' : 'x-amz-';
    for (const k of keysFor(token)) {
      const calls = [
        ['put', '', () => c.putObject({ Bucket: 'buck', Key: k, Body: 'hello', Metadata: { who: 'me' }, ContentType: 'text/plain' })],
        ['get', '', () => c.getObject({ Bucket: 'buck', Key: k, ResponseContentType: 'text/html' })],
        ['create', '', () => c.initiateMultipartUpload({ Bucket: 'buck', Key: k })],
        ['part', '', () => c.uploadPart({ Bucket: 'buck', Key: k, UploadId: 'u+/=1', PartNumber: 7, Body: 'x' })],
        ['list', 'b', () => c.listObjects({ Bucket: 'buck', Prefix: k, Delimiter: '/' })],
      ];
      for (const [n, b, call] of calls) {
        caught = null;
        await Promise.race([Promise.resolve(call()).catch(() => {}), new Promise((r) => setTimeout(r, 300))]);
        if (!caught) throw new Error(`nothing was sent for ${n}`);
        const h = Object.fromEntries(Object.entries(caught.headers).map(([a, v]) => [a.toLowerCase(), v]));
        const raw = caught.path.split('?');
        begin(`obs-sdk ${signature} ${n} ${k}${t}`, dialect, 'header', { token, now: 0, method: caught.method, host: caught.host, bucket: 'buck',
          key: b ? '' : k, path: raw[0], query: parameters(raw[1] || ''),
          headers: Object.entries(h).filter(([a]) => (a.startsWith(own) && a !== own + 'security-token') || /^(date|content-type|content-md5)$/.test(a)) });
        put('authorization', h.authorization);
      }
      for (const [method, headers] of [['GET', {}], ['PUT', { 'Content-Type': 'text/plain', [own + 'meta-a']: 'b' }]]) {
        const made = c.createSignedUrlSync({ Method: method, Bucket: 'buck', Key: k, Expires: 900, Headers: headers,
          QueryParams: method === 'GET' ? { 'response-content-type': 'text/x' } : {} });
        const raw = made.SignedUrl.replace(':80/', '/').split('?');
        const all = parameters(raw[1]);
        const url = split(raw[0]);
        begin(`obs-sdk link ${signature} ${method} ${k}${t}`, dialect, 'query', { token, now: all.find(([p]) => p === 'Expires')[1] - 900, method,
          host: url.host, bucket: 'buck', key: k, path: url.pathname, expires: 900,
          query: all.filter(([p]) => p.startsWith('response-')), headers: Object.entries(headers) });
        put('parameters', raw[1]);
      }
    }
    const f = c.createPostSignatureSync({ Bucket: 'buck', Key: 'a b', Expires: 600, FormParams: { 'content-type': 'text/plain' } });
    begin(`obs-sdk form ${signature}${t}`, dialect, 'policy', { token, now: 0, bucket: 'buck', key: 'a b' });
    put('policy', f.OriginPolicy);
    put('field', 'policy', f.Policy);
    put('field', 'signature', f.Signature);
  }
  http.request = request;
}

await aws();
minio();
await oss();
await obs();
console.log('# Made by record.mjs from the SDKs of the vendors; %xx stands for a byte.' + lines.join('\n') + '\nend');
process.exit(0);
