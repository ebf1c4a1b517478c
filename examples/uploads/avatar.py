"""Avatars from uploads, in Starlette. Usage: python avatar.py PORT [HOST:PORT]

    curl -F photo=@large.jpg http://127.0.0.1:8000/avatar -o avatar.webp

One client for the process: all requests share it, and none holds up another while its avatar is being made.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fleet import AsyncClient
from fleet.errors import BadImage, FleetError

port, *servers = sys.argv[1:]
fleet = AsyncClient(servers or None, timeout=10)


async def avatar(request: Request) -> Response:
    async with request.form() as form:
        photo = form.get("photo")
        if not isinstance(photo, UploadFile):  # text, which would be taken for the path of a file here
            return PlainTextResponse("send a picture as the field photo", 422)
        try:
            thumb = await fleet.resize(photo, 64, 64, fit="cover", format="webp").result()
        except BadImage as error:
            return PlainTextResponse(str(error), 422)
        except FleetError as error:
            return PlainTextResponse(str(error), 503)
    return Response(thumb, media_type=thumb.content_type, headers={"ETag": f'"{thumb.sha256}"'})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with fleet:
        yield


app = Starlette(routes=[Route("/avatar", avatar, methods=["POST"])], lifespan=lifespan)
with socket.create_server(("127.0.0.1", int(port))) as listener:
    print(f"listening 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
