@echo off
rem 4.1) data_src view aligned result (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" view --input-dir "%DFL_WORKSPACE%\data_src\aligned" %*
set DFL_EXIT=%errorlevel%
:end
exit /b %DFL_EXIT%
