// SPDX-License-Identifier: ISC
'use strict';
// relaypass - Haraka plugin: a client whose address has a lease of relaypass may
// relay. In config/plugins it stands before the plugins that refuse clients.
// docs/qpsmtpd.md says more.

const net = require('node:net');

const ANSWER_MAX = 4096; // bytes, as the ask protocol has it
const MAIL_MAX = 320;

exports.register = function () {
    const main = this.config.get('relaypass.ini').main;
    this.socket = main.socket ?? '/run/relaypass/ask';
    this.on_error = main.on_error ?? 'denysoft';
    this.timeout = Number(main.timeout ?? 2000);
    if (!/^\//.test(this.socket)) throw new Error('relaypass: socket: expected a path');
    if (!['denysoft', 'norelay'].includes(this.on_error))
        throw new Error('relaypass: on_error: expected denysoft or norelay');
    if (!(Number.isInteger(this.timeout) && this.timeout > 0))
        throw new Error('relaypass: timeout: expected milliseconds');
    this.register_hook('connect', 'at_connect');
    // First, to take back what a lease that has ended gave: a relaying client is
    // waved through by others.
    this.register_hook('rcpt', 'before_rcpt', -100);
    // Last: inbound mail, which another plugin has taken by then, asks nothing.
    this.register_hook('rcpt', 'after_rcpt', 100);
};

// Asked here as well, so that the plugins which pass over relaying clients know
// this one; what counts is the answer at RCPT.
exports.at_connect = function (next, connection) {
    if (connection.relaying) return next();
    this.ask(`check ${connection.remote.ip}`, (may) => {
        connection.relaying = connection.notes.relaypass = may;
        next();
    });
};

exports.before_rcpt = function (next, connection, params) {
    // Within a transaction `relaying` is the transaction's own: what was given
    // at connect is there again in the next one.
    const given = connection.notes.relaypass || connection.transaction?.notes.relaypass;
    if (!given || connection.notes.auth_user) return next();
    this.decide(connection, params, () => next());
};

exports.after_rcpt = function (next, connection, params) {
    if (connection.relaying) return next();
    this.decide(connection, params, (may, error) => {
        if (may) return next(OK);
        if (error === undefined || this.on_error === 'norelay') return next();
        next(DENYSOFT, 'Cannot tell now whether you may relay, please try again later');
    });
};

exports.decide = function (connection, params, done) {
    const txn = connection.transaction;
    const line = `check ${connection.remote.ip}` +
        word('sender', txn?.mail_from) + word('recipient', params?.[0]);
    this.ask(line, (may, error) => {
        // The client may have gone meanwhile.
        if (txn) txn.notes.relaypass = may;
        connection.relaying = may;
        if (error !== undefined) connection.logerror(this, error);
        done(may, error);
    });
};

// One line there and one back. done(true), done(false) or, when there is no whole
// answer in time, done(false, why); once.
exports.ask = function (line, done) {
    const sock = net.connect({ path: this.socket });
    let text = '';
    const finish = (may, error) => {
        clearTimeout(timer);
        sock.removeAllListeners();
        sock.on('error', () => {});
        sock.destroy();
        done(may, error);
    };
    const timer = setTimeout(
        () => finish(false, `${this.socket}: no answer within ${this.timeout} ms`), this.timeout);
    sock.on('error', (err) => finish(false, `${this.socket}: ${err.message}`));
    sock.on('end', () => finish(false, `${this.socket}: answer cut short`));
    sock.on('data', (data) => {
        text += data.toString('latin1');
        const end = text.indexOf('\n');
        if (end < 0) {
            if (text.length > ANSWER_MAX) finish(false, `${this.socket}: answer too long`);
            return;
        }
        const answer = text.slice(0, end);
        if (/^allow ttl=[1-9][0-9]{0,9}(?: |$)/.test(answer)) return finish(true);
        if (answer === 'none') return finish(false);
        finish(false, `relaypass answers '${answer.slice(0, 200).replace(/[^ -~]/g, '?')}'`);
    });
    sock.write(`${line}\n`);
};

// An address coded for the ask protocol; '' for one that it cannot hold.
function word(key, mail) {
    // A method before Haraka 3.1, a property since.
    const text = typeof mail?.address === 'function' ? mail.address() : mail?.address;
    const bytes = Buffer.from(text ?? '', 'utf8');
    if (!bytes.length || bytes.length > MAIL_MAX || /[\0\r\n]/.test(bytes.toString('latin1'))) return '';
    return ` ${key}=` + bytes.toString('latin1').replace(/[^!-~]|[%=]/g, (c) =>
        `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
