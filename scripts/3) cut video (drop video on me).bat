@echo off
rem 3) cut video (drop video on me) (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
if "%~1"=="" (
    echo Drop a video on this file.
    pause
    exit /b 2
)
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" videoed cut-video --input-file %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
