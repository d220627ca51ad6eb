"""The Lua scripts that run inside the store; see ``server/store/lua_library.py``."""
