import type { Subject } from './subject.ts';

export interface Proxy extends Subject {
  program: string;
  /** Whether its clients speak HTTP/2, without TLS. */
  http2?: boolean;
  /** Whether it encodes streams. */
  isEncoded?: boolean;
  /** It ends a response properly that the server has broken off. */
  hidesBreaks?: true;
  /** What a user has to know. */
  note?: string;
  /** How it is started in the foreground, on loopback, to give up a response that is silent for `IDLE` s. */
  configure(
    ports: { port: number; upstream: number },
    folder: string,
  ): { args: string[]; files?: Record<string, string> };
}

/** Seconds without a byte after which each proxy times out. Longer than a busy machine delays a heartbeat. */
export const IDLE = 2;

type Ports = Parameters<Proxy['configure']>[0];

function nginx({ http = '', listen = '', location = '' } = {}) {
  return ({ port, upstream }: Ports, folder: string) => ({
    args: ['-e', 'stderr', '-p', folder, '-c', `${folder}/nginx.conf`],
    files: {
      'nginx.conf': `
        daemon off;
        master_process off;
        pid nginx.pid;
        events {}
        http {
          access_log off;
          client_body_temp_path body;
          proxy_temp_path proxy;
          fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi;
          scgi_temp_path scgi;
          ${http}
          server {
            listen 127.0.0.1:${port} ${listen};
            location / {
              proxy_pass http://127.0.0.1:${upstream};
              proxy_read_timeout ${IDLE}s;
              ${location}
            }
          }
        }`,
    },
  });
}

function haproxy({ bind = '', backend = '' } = {}) {
  return ({ port, upstream }: Ports, folder: string) => ({
    args: ['-db', '-f', `${folder}/haproxy.cfg`],
    files: {
      'haproxy.cfg': `
        defaults
          mode http
          timeout connect 5s
          timeout client ${IDLE}s
          timeout server ${IDLE}s
        frontend front
          bind 127.0.0.1:${port} ${bind}
          default_backend back
        backend back
          option http-no-delay
          ${backend}
          server app 127.0.0.1:${upstream}\n`,
    },
  });
}

function apache(...lines: string[]) {
  return ({ port, upstream }: Ports, folder: string) => ({
    args: ['-X', '-f', `${folder}/httpd.conf`],
    files: {
      'httpd.conf': `
        ServerRoot ${folder}
        DefaultRuntimeDir ${folder}
        PidFile ${folder}/pid
        ErrorLog /dev/stderr
        ${['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'filter', 'deflate', 'http2']
          .map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
          .join('\n')}
        User www-data
        Group www-data
        ServerName localhost
        Listen 127.0.0.1:${port}
        ProxyPass / http://127.0.0.1:${upstream}/
        ProxyTimeout ${IDLE}
        ${lines.join('\n')}\n`,
    },
  });
}

const HAPROXY_NOTE =
  'Needs `option http-no-delay`: without it, HTTP/1.1 clients receive each event 200 ms late';

const BREAKS_NOTE = 'An interrupted response to a POST looks complete: mark the last event';

export const proxies: Proxy[] = [
  {
    name: 'nginx (default settings)',
    program: '/usr/sbin/nginx',
    versionArgs: ['-v'],
    configure: nginx(),
    note: 'The header `X-Accel-Buffering: no`, which streams have, turns off its buffering',
  },
  {
    name: 'nginx (gzip)',
    program: '/usr/sbin/nginx',
    versionArgs: ['-v'],
    isEncoded: true,
    configure: nginx({
      http: 'gzip on; gzip_types text/event-stream; gzip_proxied any;',
      location: 'proxy_http_version 1.1; proxy_set_header Connection "";',
    }),
  },
  {
    name: 'nginx (HTTP/2 in front)',
    program: '/usr/sbin/nginx',
    versionArgs: ['-v'],
    http2: true,
    configure: nginx({ listen: 'http2' }),
  },
  {
    name: 'HAProxy',
    program: '/usr/sbin/haproxy',
    versionArgs: ['-v'],
    note: HAPROXY_NOTE,
    configure: haproxy(),
  },
  {
    name: 'HAProxy (compression)',
    program: '/usr/sbin/haproxy',
    versionArgs: ['-v'],
    note: HAPROXY_NOTE,
    configure: haproxy({ backend: 'compression algo gzip\ncompression type text/event-stream' }),
  },
  {
    name: 'HAProxy (HTTP/2 in front)',
    program: '/usr/sbin/haproxy',
    versionArgs: ['-v'],
    http2: true,
    hidesBreaks: true,
    note: BREAKS_NOTE,
    configure: haproxy({ bind: 'proto h2' }),
  },
  {
    name: 'Apache (mod_proxy_http)',
    program: '/usr/sbin/apache2',
    versionArgs: ['-v'],
    configure: apache(),
  },
  {
    name: 'Apache (DEFLATE)',
    program: '/usr/sbin/apache2',
    versionArgs: ['-v'],
    isEncoded: true,
    configure: apache('SetOutputFilter DEFLATE'),
  },
  {
    name: 'Apache (HTTP/2 in front)',
    program: '/usr/sbin/apache2',
    versionArgs: ['-v'],
    http2: true,
    configure: apache('Protocols h2c'),
  },
  {
    name: 'Caddy (`encode`)',
    program: '/usr/bin/caddy',
    versionArgs: ['version'],
    hidesBreaks: true,
    note: BREAKS_NOTE,
    configure: ({ port, upstream }, folder) => ({
      args: ['run', '--config', `${folder}/Caddyfile`],
      files: {
        Caddyfile: `
          {
            admin off
            auto_https off
          }
          http://127.0.0.1:${port} {
            bind 127.0.0.1
            encode gzip
            reverse_proxy 127.0.0.1:${upstream} {
              transport http {
                read_timeout ${IDLE}s
              }
            }
          }\n`,
      },
    }),
  },
  {
    name: 'Varnish',
    program: '/usr/sbin/varnishd',
    versionArgs: ['-V'],
    note: 'Ends a response after `send_timeout` (default: 10 minutes), also with heartbeats',
    configure: ({ port, upstream }, folder) => ({
      args: [
        '-F',
        '-j',
        'none',
        '-n',
        folder,
        '-a',
        `127.0.0.1:${port}`,
        '-T',
        'none',
        '-p',
        'send_timeout=86400',
        '-f',
        `${folder}/default.vcl`,
      ],
      files: {
        'default.vcl': `
          vcl 4.1;
          backend default {
            .host = "127.0.0.1";
            .port = "${upstream}";
            .between_bytes_timeout = ${IDLE}s;
          }\n`,
      },
    }),
  },
  {
    name: 'nghttpx (HTTP/2 in front)',
    program: '/usr/sbin/nghttpx',
    http2: true,
    configure: ({ port, upstream }, folder) => ({
      args: [
        '--single-process',
        `--conf=${folder}/nghttpx.conf`,
        `--frontend=127.0.0.1,${port};no-tls`,
        `--backend=127.0.0.1,${upstream}`,
        `--backend-read-timeout=${IDLE}s`,
      ],
      files: { 'nghttpx.conf': '' },
    }),
  },
  {
    name: 'lighttpd',
    program: '/usr/sbin/lighttpd',
    versionArgs: ['-v'],
    note: 'Needs `server.stream-response-body = 1`: without it, all events are buffered until the stream ends',
    configure: ({ port, upstream }, folder) => ({
      args: ['-D', '-f', `${folder}/lighttpd.conf`],
      files: {
        'lighttpd.conf': `
          server.bind = "127.0.0.1"
          server.port = ${port}
          server.document-root = "${folder}"
          server.modules = ("mod_proxy")
          server.stream-response-body = 1
          proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${upstream}, "read-timeout" => ${IDLE})))\n`,
      },
    }),
  },
];
