# What the wrangler.jsonc of the README says, for workerd alone.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "anywhere", worker = .anywhere)],
  sockets = [(name = "http", http = (), service = "anywhere")],
);

const anywhere :Workerd.Worker = (
  modules = [(name = "workers.js", esModule = embed "dist/workers.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "ROOM", durableObjectNamespace = "Room")],
  durableObjectNamespaces = [(className = "Room", uniqueKey = "room")],
  durableObjectStorage = (inMemory = void),
);
