// verify.js - checks signatures made by runpost with verifiers that share no code with it: the
// reference JavaScript library of Standard Webhooks (v1), the openssl command line (v1 and v1a) and
// Node's crypto (v1a).
//
// Usage: node verify.js SIGN_PROGRAM WORK_DIR
// SIGN_PROGRAM is the built sign_main.c; WORK_DIR has node_modules/ and takes the scratch files.
'use strict';

const {execFileSync, spawnSync} = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const {createRequire} = require('module');
const path = require('path');

const signProgram = path.resolve(process.argv[2]);
const workDir = path.resolve(process.argv[3]);
const requireThere = createRequire(path.join(workDir, 'package.json'));
const {Webhook, WebhookVerificationError} = requireThere('standardwebhooks');

// The fixed heads of a 32 byte Ed25519 key in DER: PKCS#8 private, SubjectPublicKeyInfo (RFC 8410).
const DER_PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const DER_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');

let passed = 0;
let failed = 0;

function check(name, good, why) {
	if (good) {
		passed++;
		return;
	}
	failed++;
	console.log(`FAIL ${name}${why ? `: ${why}` : ''}`);
}

function scratch(name, bytes) {
	const file = path.join(workDir, name);
	fs.writeFileSync(file, bytes, {mode: 0o600});
	return file;
}

function hmacKey(bytes, padded = true) {
	const raw = crypto.randomBytes(bytes);
	const text = raw.toString('base64');
	return {version: 'v1', raw, line: `whsec_${padded ? text : text.replace(/=+$/, '')}`};
}

function ed25519Key(withPublic) {
	const seed = crypto.randomBytes(32);
	const der = Buffer.concat([DER_PRIVATE, seed]);
	const key = crypto.createPrivateKey({key: der, format: 'der', type: 'pkcs8'});
	const spki = crypto.createPublicKey(key).export({format: 'der', type: 'spki'});
	const raw = withPublic ? Buffer.concat([seed, spki.subarray(DER_PUBLIC.length)]) : seed;
	return {version: 'v1a', spki, line: `whsk_${raw.toString('base64')}`};
}

function ourHeader(keys, id, timestamp, body) {
	const file = scratch('secrets', `# newest first\n${keys.map((k) => k.line).join('\n')}\n`);
	const options = {input: body, encoding: 'latin1'};
	const out = execFileSync(signProgram, [file, id, String(timestamp)], options);
	return out.replace(/\n$/, '');
}

function npmVerifies(key, message) {
	try {
		new Webhook(key.line).verify(message.body, {
			'webhook-id': message.id,
			'webhook-timestamp': String(message.timestamp),
			'webhook-signature': message.header,
		}, {jsonParse: false});
		return true;
	} catch (e) {
		if (e instanceof WebhookVerificationError)
			return false;
		throw e;
	}
}

function signedBytes(message) {
	return Buffer.concat([Buffer.from(`${message.id}.${message.timestamp}.`), message.body]);
}

function opensslHmac(key, message) {
	const file = scratch('message', signedBytes(message));
	const hexkey = `hexkey:${key.raw.toString('hex')}`;
	const args = ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', hexkey, '-binary', file];
	return execFileSync('openssl', args).toString('base64');
}

function opensslVerifies(key, message, value) {
	const args = ['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-rawin',
		'-inkey', scratch('public.der', key.spki),
		'-in', scratch('message', signedBytes(message)),
		'-sigfile', scratch('signature', Buffer.from(value, 'base64'))];
	const result = spawnSync('openssl', args, {encoding: 'utf8'});
	if (result.error)
		throw result.error;
	return result.status === 0 && /Verified Successfully/.test(result.stdout);
}

function nodeVerifies(key, message, value) {
	const pub = crypto.createPublicKey({key: key.spki, format: 'der', type: 'spki'});
	return crypto.verify(null, signedBytes(message), pub, Buffer.from(value, 'base64'));
}

// The same message with one thing changed, header and all else kept.
function tamperings(message) {
	const flipped = Buffer.from(message.body);
	const list = [
		['longer body',
			{...message, body: Buffer.concat([message.body, Buffer.from(' ')])}],
		['other id', {...message, id: `${message.id}x`}],
		['other timestamp', {...message, timestamp: message.timestamp - 1}],
	];
	if (flipped.length > 0) {
		flipped[flipped.length >> 1] ^= 1;
		list.push(['flipped bit in the body', {...message, body: flipped}]);
		list.push(['shorter body', {...message, body: message.body.subarray(0, -1)}]);
	}
	return list;
}

function checkHmac(name, key, message, value) {
	check(`${name}: standardwebhooks verifies`, npmVerifies(key, message));
	check(`${name}: openssl has the same HMAC`, opensslHmac(key, message) === value);
	for (const [what, other] of tamperings(message)) {
		check(`${name}: standardwebhooks refuses ${what}`, !npmVerifies(key, other));
		check(`${name}: openssl has another HMAC for ${what}`,
			opensslHmac(key, other) !== value);
	}
}

function checkEd25519(name, key, message, value) {
	check(`${name}: openssl verifies`, opensslVerifies(key, message, value));
	check(`${name}: node verifies`, nodeVerifies(key, message, value));
	for (const [what, other] of tamperings(message)) {
		check(`${name}: openssl refuses ${what}`, !opensslVerifies(key, other, value));
		check(`${name}: node refuses ${what}`, !nodeVerifies(key, other, value));
	}
}

function checkCase(name, keys, body) {
	const id = `msg_${crypto.randomBytes(12).toString('hex')}`;
	const message = {id, timestamp: Math.floor(Date.now() / 1000), body};
	message.header = ourHeader(keys, message.id, message.timestamp, body);
	const tokens = message.header.split(' ');
	const versions = tokens.map((t) => t.split(',')[0]).join(' ');
	const wanted = keys.map((k) => k.version).join(' ');
	check(`${name}: one signature a key, in their order`, versions === wanted,
		`"${versions}", not "${wanted}"`);
	if (versions !== wanted)
		return;
	keys.forEach((key, i) => {
		const each = key.version === 'v1' ? checkHmac : checkEd25519;
		each(`${name}, key ${i + 1}`, key, message, tokens[i].split(',')[1]);
	});
	check(`${name}: standardwebhooks refuses a stranger's secret`,
		!npmVerifies(hmacKey(32), message));
}

function run(name, body) {
	body = Buffer.from(body);
	for (const [keysName, keys] of [
		['v1', [hmacKey(24)]],
		['v1, 64 bytes', [hmacKey(64)]],
		['v1, no padding', [hmacKey(32, false)]],
		['two v1 (rotation)', [hmacKey(32), hmacKey(24)]],
		['v1a from a seed', [ed25519Key(false)]],
		['v1 and v1a', [hmacKey(32), ed25519Key(true)]],
		['v1a and two v1', [ed25519Key(true), hmacKey(32), hmacKey(32)]],
	]) {
		try {
			checkCase(`${name}; ${keysName}`, keys, body);
		} catch (e) {
			check(`${name}; ${keysName}`, false, e.message);
		}
	}
}

run('a run', '{"run_id":"1ef0-7a","status":"success","kwargs":{"webhook":"http://127.0.0.1/"}}');
run('UTF-8', '{"text":"Grüße, 世界, שלום, 👩‍🚀 é","nul":"\\u0000","lone":"\\ud800"}');
run('numbers and spaces as they stand',
	' {"big":123456789012345678901234567890 ,\r\n\t"huge":1e400,"a":1,"a":2} ');
run('empty object', '{}');
run('empty string', '""');
run('one space', ' ');
run('no bytes', '');
run('1 MiB', `{"data":"${'0123456789abcdé'.repeat(65535)}"}     `);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
