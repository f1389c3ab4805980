# Runs localstripe as it is, on 127.0.0.1 alone. By itself it would listen on all addresses, and write what it holds to a
# file in /tmp that all servers of a machine share.

import sys

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]))
